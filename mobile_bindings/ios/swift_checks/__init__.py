"""The steps of `check`: what of the Swift package can be checked without a Mac."""
