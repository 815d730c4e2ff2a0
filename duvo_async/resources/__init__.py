"""The API's nouns, a file each: a method is a signature, a docstring and one call."""
