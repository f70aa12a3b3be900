"""Parts of the spectrum pane and of the panels that open from it."""
