// What diff-tables of @mapbox/dynamodb-replicator does, written anew (see docs/benchmarks.md): scan one table,
// read the keys of every 25 items from the other one, compare; then the same the other way round.
'use strict'
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = '1'
const assert = require('assert')
const AWS = require('aws-sdk')
const { config, measure } = require('./meter')

const KEYS_AT_ONCE = 25

const { marshall } = AWS.DynamoDB.Converter
const client = new AWS.DynamoDB.DocumentClient(config)
const service = new AWS.DynamoDB(config)

// DynamoDB's own JSON is what is compared. Sets are put in order, which the original does not do: it would
// read every item with a set once more.
function wireItem (item) {
  return JSON.parse(JSON.stringify(marshall(item)), (name, value) => {
    if ((name === 'SS' || name === 'NS' || name === 'BS') && Array.isArray(value)) value.sort()
    return value
  })
}

function keyOf (item, names) {
  const key = {}
  for (const name of names) key[name] = item[name]
  return key
}

async function read (table, keys) {
  const found = []
  let wanted = { [table]: { Keys: keys } }
  while (Object.keys(wanted).length) {
    const answer = await client.batchGet({ RequestItems: wanted }).promise()
    found.push(...answer.Responses[table])
    wanted = answer.UnprocessedKeys
  }
  return found
}

async function compare (items, other, names) {
  const keys = items.map(item => keyOf(item, names))
  const theirs = new Map()
  for (const item of await read(other, keys)) theirs.set(JSON.stringify(keyOf(item, names)), item)
  items.forEach((item, index) => {
    const key = JSON.stringify(keys[index])
    if (!theirs.has(key)) throw new Error(`${other} has no ${key}`)
    // Throws if they differ, with a loose comparison as in the original.
    assert.deepEqual(wireItem(item), wireItem(theirs.get(key)), `the tables differ at ${key}`)
  })
}

// Returns how many items the table has.
async function scan (table, other, names) {
  let items = 0
  let start
  do {
    const page = await client.scan({ TableName: table, ExclusiveStartKey: start }).promise()
    for (let first = 0; first < page.Items.length; first += KEYS_AT_ONCE) {
      await compare(page.Items.slice(first, first + KEYS_AT_ONCE), other, names)
    }
    items += page.Items.length
    start = page.LastEvaluatedKey
  } while (start)
  return items
}

measure(async () => {
  const primary = process.env.SOURCE_TABLE
  const replica = process.env.DESTINATION_TABLE
  const { Table } = await service.describeTable({ TableName: primary }).promise()
  const names = Table.KeySchema.map(key => key.AttributeName)
  return await scan(primary, replica, names) + await scan(replica, primary, names)
})
