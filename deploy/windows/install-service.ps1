<#
.SYNOPSIS
Installs rtbeat as a Windows service, or puts a newer one in its place.

.DESCRIPTION
Run it as an administrator from the folder that has rtbeat.exe and rtbeat.yml. The service runs as NT SERVICE\rtbeat, an
account of its own that may read this folder and write to the data folder, and nothing else that others may not. It
starts with Windows, and again after a crash. It is not started here: check the configuration first.

.PARAMETER DataFolder
Where rtbeat keeps its data and its logs. Not in ProgramData, where every user may put files.
#>
[CmdletBinding()]
param(
    [string]$DataFolder = (Join-Path $env:ProgramFiles 'rtbeat-data')
)
$ErrorActionPreference = 'Stop'

$name = 'rtbeat'
$program = Join-Path $PSScriptRoot 'rtbeat.exe'
$config = Join-Path $PSScriptRoot 'rtbeat.yml'
$keystore = Join-Path $PSScriptRoot 'data' # where "rtbeat keystore" has it when it is run from this folder
foreach ($file in $program, $config) {
    if (-not (Test-Path -LiteralPath $file)) { throw "$file is missing: run this script from the folder that rtbeat was unpacked into." }
}

# A program's failure is no error to PowerShell.
function Invoke-Checked([string]$Command) {
    $arguments = @($args | ForEach-Object { $_ }) # lists among them become arguments one by one
    $output = & $Command @arguments
    if ($LASTEXITCODE -ne 0) { throw "$Command $arguments failed with $LASTEXITCODE`: $output" }
}

& (Join-Path $PSScriptRoot 'uninstall-service.ps1')

$line = @(
    "`"$program`""
    '--environment=windows_service'
    "-c `"$config`""
    "--path.home `"$PSScriptRoot`""
    "--path.data `"$DataFolder`""
    "--path.logs `"$(Join-Path $DataFolder 'logs')`""
    "-E keystore.path=`"$(Join-Path $keystore 'rtbeat.keystore')`""
    '-E logging.files.redirect_stderr=true'
) -join ' '

New-Service -Name $name -DisplayName $name -BinaryPathName $line -StartupType Automatic `
    -Description 'Takes JSON batches over HTTP and ships them to Logstash' | Out-Null
Invoke-Checked sc.exe config $name obj= "NT SERVICE\$name"
# Again after 1, 5 and 30 seconds, then every 30; a day without a crash begins anew.
Invoke-Checked sc.exe failure $name reset= 86400 actions= restart/1000/restart/5000/restart/30000

# By their numbers: LocalSystem and administrators, whose names are other ones in other languages.
$owners = '*S-1-5-18', '*S-1-5-32-544'
New-Item -ItemType Directory -Force -Path $keystore, $DataFolder | Out-Null
Invoke-Checked icacls.exe $PSScriptRoot /grant "NT SERVICE\${name}:(OI)(CI)RX"
# Configuration and keystore hold secrets, the data folder perhaps messages: other users read none of them.
Invoke-Checked icacls.exe $config /inheritance:r /grant ($owners | ForEach-Object { "${_}:F" }) "NT SERVICE\${name}:R"
$inherited = $owners | ForEach-Object { "${_}:(OI)(CI)F" }
Invoke-Checked icacls.exe $keystore /inheritance:r /grant $inherited "NT SERVICE\${name}:(OI)(CI)RX"
Invoke-Checked icacls.exe $DataFolder /inheritance:r /grant $inherited "NT SERVICE\${name}:(OI)(CI)M"

Write-Output "$name is installed. Check the configuration and start it:"
Write-Output "  & '$program' test config -c '$config'"
Write-Output "  Start-Service $name"
