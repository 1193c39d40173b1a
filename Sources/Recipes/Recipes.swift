// module Recipes
