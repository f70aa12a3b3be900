"""One image for each element: region sums, ROI windows."""
