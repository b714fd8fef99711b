"""An event source mapping for DynamoDB streams with the semantics AWS documents.

Reads streams and invokes functions through the public APIs only, in the way the copy's own mapping is set:
from the oldest record, one batch of a shard at a time, without a limit of retries or age, so that nothing is
ever given up. A mapping that asks for something else is refused with a logged problem, and reads nothing.
A position does not outlive the process: after a restart a mapping begins at its oldest record again, so that
every record still arrives at least once.
"""
