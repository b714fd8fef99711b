"""What a comparison found, for people and programs: text, JUnit XML, an HTML page."""
