"""The site: every page where it lies in the repository, so that a link between two works on both.

`sphinx-build -c docs . OUT`, from the root of the repository; `nox -s docs` does.
"""

import mistral_nb

project = "mistral_nb"
author = "The mistral_nb developers"
release = mistral_nb.__version__

extensions = ["myst_nb"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md", "notebooks/*.ipynb"]

nb_execution_mode = "off"  # the tours hold what they printed: tests run them
myst_heading_anchors = 3  # `#a-heading`, as GitHub makes them
myst_links_external_new_tab = False

html_theme = "pydata_sphinx_theme"
html_title = "mistral_nb"
html_theme_options = {"show_toc_level": 2, "navbar_align": "left", "secondary_sidebar_items": ["page-toc"]}
html_sidebars = {"**": ["sidebar-nav-bs"]}
html_copy_source = False
suppress_warnings = ["misc.highlighting_failure"]  # IPython's `!` in the tours
html_additional_pages = {"index": "redirect.html"}  # the site's root is above docs/index
templates_path = ["_templates"]
