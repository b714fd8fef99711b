"""What is read from a module's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.docs_tables.module import Input, Module, bullets, described_by, read_module


@pytest.fixture
def module(tmp_path: Path) -> Path:
    directory = tmp_path / "queue"
    directory.mkdir()
    (directory / "main.tf").write_text(
        "# Makes a queue,\n# and nothing else.\n#\n# Twice.\n\n# Not this.\nlocals {}\n"
    )
    (directory / "variables.tf").write_text("""\
variable "queue" {
  description = <<-EOT
    What is called "the queue",
    in two lines.

    * `name`: of the queue.
    * `keep`, `delay`: seconds.
    * `tags`: on it.
      * `value`: of a tag.
  EOT
  # Fields may grow.
  type = object({
    name  = string # as AWS has it
    keep  = optional(number, 60)
    delay = optional(number)
    tags  = optional(map(object({ value = string })), {})
  })
  nullable = false

  validation {
    condition     = var.queue.name != "}"
    error_message = "queue.name is ${var.queue.name}."
  }
}

variable "names" {
  description = <<-EOT
    All of them, but

    * `a`;
    * `b`.
  EOT
  type        = list(string)
  default     = ["a"]
}
""")
    (directory / "outputs.tf").write_text(
        'output "url" {\n  description = "Of `queue`."\n  value       = aws_sqs_queue.this[0].url\n}\n'
    )
    return directory


def test_variables_and_their_fields(module: Path) -> None:
    assert read_module(module).inputs == (
        Input("queue", "object", None, 'What is called "the queue", in two lines.'),
        Input("queue.name", "string", None, "of the queue."),
        Input("queue.keep", "number", "60", "seconds."),
        Input("queue.delay", "number", "null", "seconds."),
        Input("queue.tags", "map(object)", "{}", "on it."),
        Input("queue.tags[*].value", "string", None, "of a tag."),
        Input("names", "list(string)", '["a"]', "All of them, but<br>• `a`;<br>• `b`."),
    )


def test_outputs_name_and_header(module: Path) -> None:
    found = read_module(module)
    assert found.outputs == (("url", "Of `queue`."),)
    assert found.name == "queue"
    assert found.header == "Makes a queue,\nand nothing else.\n\nTwice."


def test_a_module_without_outputs_or_header(module: Path) -> None:
    (module / "outputs.tf").unlink()
    (module / "main.tf").write_text("locals {}\n")
    found = read_module(module)
    assert found.outputs == ()
    assert found.header == ""


def test_items_of_a_list_belong_to_the_one_they_are_below() -> None:
    assert bullets("* `a`: one.\n  * `x`: two.\n    * `y`: three.\n* `b`: four.") == {
        "a": "one.",
        "a.x": "two.",
        "a.x.y": "three.",
        "b": "four.",
    }


def test_texts_of_the_module_that_takes_the_inputs() -> None:
    def module(*texts: str) -> Module:
        paths = ("queue", "queue.name", "queue.keep")
        return Module(
            "", "", tuple(Input(path, "", None, text) for path, text in zip(paths, texts, strict=True)), ()
        )

    found = described_by(module("A queue.", "", "Own."), module("A queue. It keeps.", "Name.", "Seconds."))
    assert [row.text for row in found.inputs] == ["A queue. It keeps.", "Name.", "Own."]
