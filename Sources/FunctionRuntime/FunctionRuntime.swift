// module FunctionRuntime
