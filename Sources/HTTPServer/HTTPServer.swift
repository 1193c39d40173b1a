// module HTTPServer
