"""The report as one page for a browser: the decision, the numbers drawn, and every session to play."""

from reports.views.html.casts import SessionCast, read_session_cast, read_sessions
from reports.views.html.page import HTML, render_html, write_html

__all__ = ["HTML", "SessionCast", "read_session_cast", "read_sessions", "render_html", "write_html"]
