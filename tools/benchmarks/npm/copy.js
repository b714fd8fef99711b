// copy-dynamodb-table, as its README calls it.
'use strict'
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = '1'
const { promisify } = require('util')
const { copy } = require('copy-dynamodb-table')
const { config, measure } = require('./meter')

measure(() => promisify(copy)({
  config,
  source: { tableName: process.env.SOURCE_TABLE },
  destination: { tableName: process.env.DESTINATION_TABLE }
}).then(result => result.count))
