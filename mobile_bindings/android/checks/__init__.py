"""The steps of `check`: what of the Android binding can be checked without an Android SDK."""
