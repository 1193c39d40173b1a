// module TestKit
