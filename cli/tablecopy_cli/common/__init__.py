"""What the commands share: the flags of a side, sessions, Terraform outputs, output conventions."""

from tablecopy_cli.common.accounts import Side
from tablecopy_cli.common.errors import UserError

__all__ = ["Side", "UserError"]
