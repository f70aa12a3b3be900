"""Images of a cube: region sums, ROI windows, full-spectrum fits, components (PCA, NMF)."""
