// Measures as meter.py does: say ready, wait for a line, do the work, tell what it took.
'use strict'
const fs = require('fs')

// Memory as Linux tells it for this process alone; elsewhere what the system counts for it.
function peakRssMb () {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) / 1024
  } catch (error) {
    return process.resourceUsage().maxRSS / 1024
  }
}

// work returns a promise of how many items it did.
exports.measure = function (work) {
  console.log('ready')
  process.stdin.once('data', () => {
    const began = Date.now()
    const cpu = process.cpuUsage()
    work().then(items => {
      const used = process.cpuUsage(cpu)
      console.log(JSON.stringify({
        items,
        cpu_s: (used.user + used.system) / 1e6,
        wall_s: (Date.now() - began) / 1000,
        peak_rss_mb: peakRssMb()
      }))
      process.exit(0)
    }, error => {
      console.error(String(error))
      process.exit(1)
    })
  })
}

exports.config = {
  endpoint: process.env.AWS_ENDPOINT_URL,
  region: process.env.AWS_REGION,
  accessKeyId: process.env.AWS_ACCESS_KEY_ID,
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY
}
