// module TokenAPI
