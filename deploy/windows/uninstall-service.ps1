<#
.SYNOPSIS
Stops the Windows service rtbeat and removes it. Configuration, data and logs stay.
#>
[CmdletBinding()]
param()
$ErrorActionPreference = 'Stop'

$name = 'rtbeat'
$service = Get-Service -Name $name -ErrorAction SilentlyContinue
if (-not $service) { return }

# rtbeat waits for the acknowledgements, for rtbeat.shutdown_timeout at most.
if ($service.Status -ne 'Stopped') {
    Stop-Service -Name $name
    $service.WaitForStatus('Stopped')
}
& sc.exe delete $name | Out-Null
if ($LASTEXITCODE -ne 0) { throw "sc.exe delete $name failed with $LASTEXITCODE" }

# The name is free when no program has the service open.
$service.Dispose()
for ($try = 0; Get-Service -Name $name -ErrorAction SilentlyContinue; $try++) {
    if ($try -eq 50) { throw "$name is still there: close programs that have it open, such as services.msc, and run this script again." }
    Start-Sleep -Milliseconds 200
}
