"""The page: ``panel serve dashboard``."""

from dashboard.app import create_app, error_page
from dashboard.serving.shared import get_engine

try:
    page = create_app(get_engine())
except Exception as error:  # an exception here would answer with an empty page
    page = error_page(error)
page.servable()
