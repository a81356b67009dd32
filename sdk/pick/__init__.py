"""Draw lines and zones on one frame of a source, in the browser, for the options of `count`."""
