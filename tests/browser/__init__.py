"""JupyterLab and the page of the shop in a real browser."""
