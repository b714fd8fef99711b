"""Damage to the destination, for verify to find."""

from __future__ import annotations

from typing import Any

from tools.local.demo.cities import TABLE_NAME, Item, key_of, token_of


def tamper(destination: Any, items: list[Item]) -> dict[str, str]:
    """Take one item away, change one deep inside a map, add one.

    Returns
    -------
    dict
        The key's token (cities.token_of) of the item that ``verify`` must call ``missing``,
        ``changed`` and ``extra``.
    """
    lost, changed = items[0], items[1]
    stranger: Item = {"country": {"S": "XX"}, "id": {"N": "1"}, "name": {"S": "Nowhere \u2603"}}
    destination.delete_item(TableName=TABLE_NAME, Key=key_of(lost))
    destination.update_item(
        TableName=TABLE_NAME,
        Key=key_of(changed),
        UpdateExpression="SET #p.#w.#c = :other",
        ExpressionAttributeNames={"#p": "position", "#w": "within", "#c": "continent"},
        ExpressionAttributeValues={":other": {"S": "Atlantis"}},
    )
    destination.put_item(TableName=TABLE_NAME, Item=stranger)
    return {"missing": token_of(lost), "changed": token_of(changed), "extra": token_of(stranger)}
