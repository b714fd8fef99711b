"""What the commands share: the flags of a side, sessions, Terraform outputs, output conventions."""

from sides.errors import UserError
from sides.session import Side

__all__ = ["Side", "UserError"]
