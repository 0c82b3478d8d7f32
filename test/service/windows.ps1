# Installs build/rtbeat.exe as a Windows service, as docs/service.md says, stops it while a request waits, kills it, and
# removes it again. For an administrator on a machine that can be thrown away: CI's.
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

function Assert-That([bool]$Condition, [string]$What) {
    if (-not $Condition) { throw "not so: $What" }
    Write-Output "ok: $What"
}
function Wait-Until([scriptblock]$Condition, [string]$What) {
    for ($try = 0; $try -lt 120; $try++) {
        if (& $Condition) { Write-Output "ok: $What"; return }
        Start-Sleep -Milliseconds 500
    }
    throw "not within a minute: $What"
}
function Test-Live {
    try { (Invoke-WebRequest -UseBasicParsing -TimeoutSec 2 http://127.0.0.1:8081/livez).StatusCode -eq 200 } catch { $false }
}

$folder = Join-Path $env:ProgramFiles 'rtbeat'
$data = Join-Path $env:ProgramFiles 'rtbeat-data'
New-Item -ItemType Directory -Force $folder | Out-Null
Copy-Item build\rtbeat.exe, rtbeat.yml, deploy\windows\*.ps1 $folder
try {
    & "$folder\install-service.ps1"
    $service = Get-CimInstance Win32_Service -Filter "Name='rtbeat'"
    Assert-That ($service.StartName -eq 'NT SERVICE\rtbeat') "it runs as an account of its own, $($service.StartName)"
    foreach ($path in "$folder\rtbeat.yml", "$folder\data", $data) {
        Assert-That (-not ((icacls.exe $path) -match 'BUILTIN\\Users|Everyone')) "other users cannot read $path"
    }

    Start-Service rtbeat
    Wait-Until { Test-Live } 'it serves'

    # There is no Logstash, so this request waits out its 5 s.
    $request = Start-Job {
        $body = '{"messages":[{"uuid":"1","payload":{"hello":"world"}}]}'
        try { (Invoke-WebRequest -UseBasicParsing -Method Post -ContentType application/json -Body $body http://127.0.0.1:8081/in).StatusCode }
        catch { [int]$_.Exception.Response.StatusCode }
    }
    Wait-Until { (Invoke-WebRequest -UseBasicParsing http://127.0.0.1:8081/metrics).Content -match '(?m)^rtbeat_in_flight_events 1$' } 'a request waits'
    Stop-Service rtbeat
    Assert-That ((Get-Service rtbeat).Status -eq 'Stopped') 'it stops when it is told to'
    $answer = Receive-Job -Wait $request
    Assert-That ($answer -eq 504) "the request that waited got its answer, $answer"
    $log = (Get-Content "$data\logs\*.ndjson") -join "`n"
    Assert-That ($log -match '"message":"stopped: ') 'the account is in the log'
    Start-Sleep -Seconds 5 # longer than Windows waits before it starts what has crashed
    Assert-That ((Get-Service rtbeat).Status -eq 'Stopped') 'a stop is no crash: it is not started again'

    Start-Service rtbeat
    Wait-Until { Test-Live } 'it serves again'
    $before = (Get-CimInstance Win32_Service -Filter "Name='rtbeat'").ProcessId
    Stop-Process -Force -Id $before
    Wait-Until { (Get-CimInstance Win32_Service -Filter "Name='rtbeat'").ProcessId -notin 0, $before } 'it is started again after a crash'
    Wait-Until { Test-Live } 'and serves'

    & "$folder\install-service.ps1"
    Assert-That ((Get-Service rtbeat).Status -eq 'Stopped') 'it can be installed over itself'
}
finally {
    if (Test-Path "$data\logs") { Get-Content "$data\logs\*.ndjson" | Select-Object -Last 40 }
    & "$folder\uninstall-service.ps1"
}
Assert-That ($null -eq (Get-Service rtbeat -ErrorAction SilentlyContinue)) 'it is gone'
Assert-That (Test-Path "$data\logs") 'data and logs stay'
