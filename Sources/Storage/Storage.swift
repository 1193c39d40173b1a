// module Storage
