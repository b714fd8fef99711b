"""``tablecopy cutover``: prediction, question, fence, the seal with a proof, and what is next."""
