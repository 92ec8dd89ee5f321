"""The page: what JupyterLab 4 and Notebook 7 load in the browser, and the server's side of it."""
