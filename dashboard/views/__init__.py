"""One view a pane. Views import no other view: they meet in the session and its results."""
