"""An event source mapping for DynamoDB streams with the semantics AWS documents.

Reads streams and invokes functions through the public APIs only. What is not reproduced: filter criteria
and tumbling windows (a mapping that asks for either is refused with a logged problem, and reads nothing),
S3 and Kafka as failure destinations, and a position that outlives the process: after a restart a mapping
begins at its starting position again, so that every record still arrives at least once.
"""
