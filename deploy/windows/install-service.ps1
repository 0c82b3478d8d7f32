<#
.SYNOPSIS
Installs rtbeat as a Windows service, or replaces an older one.

.DESCRIPTION
Run this script as an administrator, in the folder with rtbeat.exe and rtbeat.yml. The service runs as its own account,
NT SERVICE\rtbeat, which may read this folder and write to the data folder. The service starts with Windows, and again
after a crash. The script does not start it: check the configuration first.

.PARAMETER DataFolder
The folder for data and logs. Do not use ProgramData: every user may write there.
#>
[CmdletBinding()]
param(
    [string]$DataFolder = (Join-Path $env:ProgramFiles 'rtbeat-data')
)
$ErrorActionPreference = 'Stop'

$name = 'rtbeat'
$program = Join-Path $PSScriptRoot 'rtbeat.exe'
$config = Join-Path $PSScriptRoot 'rtbeat.yml'
$keystore = Join-Path $PSScriptRoot 'data' # "rtbeat keystore" writes there when it runs in this folder
foreach ($file in $program, $config) {
    if (-not (Test-Path -LiteralPath $file)) { throw "$file is missing: run this script from the folder that rtbeat was unpacked into." }
}

# PowerShell does not report a failed program as an error.
function Invoke-Checked([string]$Command) {
    $arguments = @($args | ForEach-Object { $_ }) # flattens lists
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
# Restart after 1, 5 and 30 s, then every 30 s. A day without a crash resets this.
Invoke-Checked sc.exe failure $name reset= 86400 actions= restart/1000/restart/5000/restart/30000

# LocalSystem and administrators, by number: their names depend on the language.
$owners = '*S-1-5-18', '*S-1-5-32-544'
New-Item -ItemType Directory -Force -Path $keystore, $DataFolder | Out-Null
Invoke-Checked icacls.exe $PSScriptRoot /grant "NT SERVICE\${name}:(OI)(CI)RX"
# Configuration and keystore have secrets, the data folder may have messages: other users must not read them.
Invoke-Checked icacls.exe $config /inheritance:r /grant ($owners | ForEach-Object { "${_}:F" }) "NT SERVICE\${name}:R"
$inherited = $owners | ForEach-Object { "${_}:(OI)(CI)F" }
Invoke-Checked icacls.exe $keystore /inheritance:r /grant $inherited "NT SERVICE\${name}:(OI)(CI)RX"
Invoke-Checked icacls.exe $DataFolder /inheritance:r /grant $inherited "NT SERVICE\${name}:(OI)(CI)M"

Write-Output "$name is installed. Check the configuration and start it:"
Write-Output "  & '$program' test config -c '$config'"
Write-Output "  Start-Service $name"
