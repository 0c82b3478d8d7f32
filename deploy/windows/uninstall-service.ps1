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

# Waits for the acknowledgements that rtbeat owes; rtbeat.shutdown_timeout bounds it.
if ($service.Status -ne 'Stopped') {
    Stop-Service -Name $name
    $service.WaitForStatus('Stopped')
}
& sc.exe delete $name | Out-Null
if ($LASTEXITCODE -ne 0) { throw "sc.exe delete $name failed with $LASTEXITCODE" }

# The name is free when nobody has the service open any more.
$service.Dispose()
for ($try = 0; Get-Service -Name $name -ErrorAction SilentlyContinue; $try++) {
    if ($try -eq 50) { throw "$name is still there: close what has it open, as services.msc does, and run this again." }
    Start-Sleep -Milliseconds 200
}
