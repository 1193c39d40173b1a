// module EventServer
