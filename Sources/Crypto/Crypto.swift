// module Crypto
