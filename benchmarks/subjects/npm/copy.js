// copy-dynamodb-table, measured as meter.py measures the others: say ready, wait for a line, copy, tell.
'use strict'
const fs = require('fs')
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = '1'
const { copy } = require('copy-dynamodb-table')

const config = {
  endpoint: process.env.AWS_ENDPOINT_URL,
  region: process.env.AWS_REGION,
  accessKeyId: process.env.AWS_ACCESS_KEY_ID,
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY
}

// Memory as Linux tells it for this process alone; elsewhere what the system counts for it.
function peakRssMb () {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) / 1024
  } catch (error) {
    return process.resourceUsage().maxRSS / 1024
  }
}

console.log('ready')
process.stdin.once('data', () => {
  const began = Date.now()
  const cpu = process.cpuUsage()
  copy({
    config,
    source: { tableName: process.env.SOURCE_TABLE },
    destination: { tableName: process.env.DESTINATION_TABLE }
  }, (error, result) => {
    if (error) {
      console.error(String(error))
      process.exit(1)
    }
    const used = process.cpuUsage(cpu)
    console.log(JSON.stringify({
      items: result.count,
      cpu_s: (used.user + used.system) / 1e6,
      wall_s: (Date.now() - began) / 1000,
      peak_rss_mb: peakRssMb()
    }))
    process.exit(0)
  })
})
