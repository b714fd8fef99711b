"""What a comparison found, for people and programs: text, JUnit XML, a page of HTML."""

from verify.report.html import write_html
from verify.report.junit import junit_report, write_junit
from verify.report.paths import path_text
from verify.report.progress import progress_text
from verify.report.text import text_report

__all__ = [
    "junit_report",
    "path_text",
    "progress_text",
    "text_report",
    "write_html",
    "write_junit",
]
