// module Curl
