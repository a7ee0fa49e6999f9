# The installer on a real Windows, in an elevated PowerShell: what Wine cannot show, and the same steps as msi.wine.ts.
# -Folder has what scenario-files.ts writes: older.msi, newer.msi, acme.keybound and pin.txt. The machine must have no agent.
# Changes this machine, and leaves nothing when all is well. Ends with 1 at the first thing that is not as it must be.
param([Parameter(Mandatory = $true)][string]$Folder)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2

$Folder = (Resolve-Path $Folder).Path
$Pin = (Get-Content (Join-Path $Folder 'pin.txt')).Trim()
$Package = Join-Path $Folder 'acme.keybound'
$Programs = Join-Path $env:ProgramFiles 'Keybound'
$Data = Join-Path $env:ProgramData 'Keybound'
$State = Join-Path $Data 'state'
$Record = Join-Path $Data 'install.log'
$Service = Join-Path $Programs 'keybound-service.exe'
$Versions = Join-Path $Programs 'versions'
$Bad = Join-Path $Versions '0.0.9'

function Test-That([string]$What, [scriptblock]$IsSo) {
  if (& $IsSo) { Write-Host "ok      $What" }
  else { Write-Host "NOT SO  $What"; exit 1 }
}

function Wait-Until([scriptblock]$IsSo) {
  foreach ($second in 1..90) {
    if (& $IsSo) { return $true }
    Start-Sleep -Seconds 1
  }
  return $false
}

function Invoke-Msi([string[]]$Words) {
  return (Start-Process -FilePath 'msiexec.exe' -ArgumentList $Words -Wait -PassThru).ExitCode
}

function Install([string]$Name, [string[]]$More) {
  return Invoke-Msi (@('/i', ('"{0}"' -f (Join-Path $Folder $Name)), '/qn') + $More)
}

function Uninstall([string]$Name, [string[]]$More) {
  return Invoke-Msi (@('/x', ('"{0}"' -f (Join-Path $Folder $Name)), '/qn') + $More)
}

function Get-Agent {
  return @(Get-CimInstance Win32_Process -Filter "Name='node.exe'" | Where-Object { $_.CommandLine -like '*--until-input-ends*' })
}

function Test-Running {
  $service = Get-Service KeyboundAgent -ErrorAction SilentlyContinue
  return ($null -ne $service) -and ($service.Status -eq 'Running') -and (@(Get-Agent).Count -eq 1)
}

function Get-Sids([string]$Path) {
  $rules = (Get-Acl $Path).GetAccessRules($true, $true, [System.Security.Principal.SecurityIdentifier])
  return @($rules | ForEach-Object { $_.IdentityReference.Value } | Sort-Object -Unique)
}

function Test-NobodyWrites([string]$Path) {
  # CREATOR OWNER says who may change what they make, and nobody may make anything here.
  $mayWrite = @('S-1-5-18', 'S-1-5-32-544', 'S-1-3-0', 'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464')
  $writing = [System.Security.AccessControl.FileSystemRights]'WriteData, AppendData, Delete, DeleteSubdirectoriesAndFiles, ChangePermissions, TakeOwnership'
  $rules = (Get-Acl $Path).GetAccessRules($true, $true, [System.Security.Principal.SecurityIdentifier])
  foreach ($rule in $rules) {
    $isOther = $mayWrite -notcontains $rule.IdentityReference.Value
    if ($isOther -and ($rule.AccessControlType -eq 'Allow') -and (($rule.FileSystemRights -band $writing) -ne 0)) { return $false }
  }
  return $true
}

function Test-VersionsUsed {
  & $Service 'check-versions' | Out-Null
  return $LASTEXITCODE -eq 0
}

function Get-Owner {
  return & (Join-Path $Programs 'node.exe') (Join-Path $Programs 'keybound-agent.cjs') 'status' '--json' | Out-String | ConvertFrom-Json
}

$deployment = @(('DEPLOYMENT="{0}"' -f $Package), "TRUST=$Pin")

Test-That 'there is no agent here before' { -not (Test-Path $Programs) -and -not (Test-Path $Data) }

# Refused at install: all is taken back but the record.
Test-That 'a package under another pin ends the installation with 1603' {
  (Install 'older.msi' @(('DEPLOYMENT="{0}"' -f $Package), 'TRUST=AAAAA-AAAAA-AAAAA-AAAAA-AAAAA')) -eq 1603
}
Test-That 'and install.log says why' { (Get-Content $Record -Raw) -match 'package-trust' }
Test-That 'and no service and no program stay' {
  ($null -eq (Get-Service KeyboundAgent -ErrorAction SilentlyContinue)) -and -not (Test-Path (Join-Path $Programs 'node.exe'))
}

Test-That 'one silent line installs and binds' { (Install 'older.msi' $deployment) -eq 0 }
Test-That 'install.log says so' { (Get-Content $Record -Raw) -match 'bound to Acme \(epoch 1\)' }
Test-That 'the service runs the agent' { Wait-Until { Test-Running } }
Test-That 'the device is bound' { (Get-Owner).bound -eq $true }

$key = Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Services\KeyboundAgent'
Test-That 'its path is quoted' { $key.ImagePath -eq ('"{0}"' -f (Join-Path $Programs 'keybound-service.exe')) }
Test-That 'it starts at boot, as SYSTEM' { ($key.Start -eq 2) -and ($key.ObjectName -eq 'LocalSystem') }
Test-That 'it is restarted by Windows' { ((& sc.exe qfailure KeyboundAgent) -join "`n") -match 'RESTART' }
Test-That 'the state is for SYSTEM and the administrators alone' {
  (((Get-Sids $State) -join ' ') -eq 'S-1-5-18 S-1-5-32-544') -and (Get-Acl $State).AreAccessRulesProtected
}
Test-That 'no user can write into the folder of the state' { Test-NobodyWrites $Data }
Test-That 'install.log is for SYSTEM and the administrators alone' { ((Get-Sids $Record) -join ' ') -eq 'S-1-5-18 S-1-5-32-544' }
Test-That 'no user can write into the programs, or beside them' {
  @(Get-ChildItem $Programs | Where-Object { -not (Test-NobodyWrites $_.FullName) }).Count -eq 0 -and (Test-NobodyWrites $Programs)
}
Test-That 'node.exe has its publisher''s signature still' {
  (Get-AuthenticodeSignature (Join-Path $Programs 'node.exe')).Status -eq 'Valid'
}
Test-That 'the Event Log has the agent''s lines, in words' {
  Wait-Until {
    $entries = @(Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = 'Keybound' } -ErrorAction SilentlyContinue)
    @($entries | Where-Object { $_.Message -match '"msg":"started"' }).Count -gt 0
  }
}

# Killed, the agent and then its host.
$agent = @(Get-Agent)[0].ProcessId
Stop-Process -Id $agent -Force
Test-That 'an agent that was killed is started again' { Wait-Until { (Test-Running) -and (@(Get-Agent)[0].ProcessId -ne $agent) } }
$agent = @(Get-Agent)[0].ProcessId
Get-Process keybound-service | Stop-Process -Force
Test-That 'an agent ends with its host' { Wait-Until { $null -eq (Get-Process -Id $agent -ErrorAction SilentlyContinue) } }
Test-That 'a host that was killed is started again by Windows' { Wait-Until { Test-Running } }

Stop-Service KeyboundAgent
Test-That 'it stops' { @(Get-Agent).Count -eq 0 }
Test-That 'in an orderly way' {
  $last = & (Join-Path $Programs 'node.exe') (Join-Path $Programs 'keybound-agent.cjs') 'journal' '--json' '--last' '1'
  ($last -join '') -match 'stopped'
}
Start-Service KeyboundAgent
Test-That 'and starts' { Wait-Until { Test-Running } }

$device = (Get-Owner).device
Test-That 'the same package again is taken' { (Install 'older.msi' $deployment) -eq 0 }
Test-That 'an upgrade works' { (Install 'newer.msi' @()) -eq 0 }
Test-That 'and runs' { Wait-Until { Test-Running } }
Test-That 'as the same device' { (Get-Owner).device -eq $device }
Test-That 'an older version is refused with 1603' { (Install 'older.msi' @()) -eq 1603 }
Test-That 'and the newer goes on running' { Test-Running }
Test-That 'with DOWNGRADE=1 it is taken' { (Install 'older.msi' @('DOWNGRADE=1')) -eq 0 }
Test-That 'and every file is the older one''s' {
  ((Get-Content (Join-Path $Programs 'version')) -eq '0.0.1') -and (Test-Path (Join-Path $Programs 'node.exe'))
}
Test-That 'and runs, as the same device' { (Wait-Until { Test-Running }) -and ((Get-Owner).device -eq $device) }
Test-That 'and is upgraded again' { ((Install 'newer.msi' @()) -eq 0) -and (Wait-Until { Test-Running }) }

Stop-Service KeyboundAgent
Remove-Item (Join-Path $Programs 'keybound-agent-inventory.cjs')
Test-That 'a repair works' { (Invoke-Msi @('/fa', ('"{0}"' -f (Join-Path $Folder 'newer.msi')), '/qn')) -eq 0 }
Test-That 'and brings back what was gone' { Test-Path (Join-Path $Programs 'keybound-agent-inventory.cjs') }
Test-That 'and the service' { Wait-Until { Test-Running } }

# Versions that come by updates: who may write there, and one that does not start.
Stop-Service KeyboundAgent
New-Item -ItemType Directory $Bad | Out-Null
Copy-Item (Join-Path $Programs 'node.exe'), (Join-Path $Programs 'keybound-job-launcher.exe') $Bad
Set-Content (Join-Path $Bad 'keybound-agent.cjs') 'process.exit(3)'
Set-Content (Join-Path $Versions 'trial') '0.0.9 0'
# As the service makes them, whose files are the administrators'.
& icacls.exe $Versions /setowner '*S-1-5-32-544' /t /q | Out-Null
Test-That 'a version below the programs is used' { Test-VersionsUsed }
& icacls.exe $Bad /grant '*S-1-5-32-545:(M)' /q | Out-Null
Test-That 'one that users can write is not' { -not (Test-VersionsUsed) }
& icacls.exe $Bad /remove:g '*S-1-5-32-545' /q | Out-Null
& cmd.exe /c mklink /j "$Versions\0.0.8" "$env:SystemRoot\Temp" | Out-Null
Test-That 'one that leads elsewhere is not' { -not (Test-VersionsUsed) }
& cmd.exe /c rmdir "$Versions\0.0.8"
Test-That 'and without these it is again' { Test-VersionsUsed }
Start-Service KeyboundAgent
Test-That 'a version that does not start is given up after three tries' {
  Wait-Until { (Test-Path (Join-Path $Versions 'failed')) -and ((Get-Content (Join-Path $Versions 'failed')) -eq '0.0.9 3') }
}
Test-That 'and the packaged one runs' { (Wait-Until { Test-Running }) -and -not (Test-Path (Join-Path $Versions 'trial')) }
Test-That 'and the Event Log says so' {
  Wait-Until {
    $entries = @(Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = 'Keybound' } -ErrorAction SilentlyContinue)
    @($entries | Where-Object { $_.Message -match 'version 0\.0\.9 failed' }).Count -gt 0
  }
}
Test-That 'a person''s command runs the agent' { ((& $Service 'agent' '--version') -join '') -match '^keybound-agent ' }

Test-That 'nothing so far has left' { -not ((Get-Content $Record -Raw) -match 'keybound-agent leave') }
Test-That 'an uninstall works' { (Uninstall 'newer.msi' @()) -eq 0 }
Test-That 'and leaves no service and no program' {
  ($null -eq (Get-Service KeyboundAgent -ErrorAction SilentlyContinue)) -and -not (Test-Path $Programs)
}
Test-That 'and left, which install.log says' { (Get-Content $Record -Raw) -match 'keybound-agent leave: exit code 0\s*$' }
Test-That 'and keeps the journal alone' {
  $left = @(Get-ChildItem $State -Name | Where-Object { $_ -notlike 'state.db-*' } | Sort-Object)
  (($left -join ' ') -eq 'lock.db state.db') -and -not (Test-Path "$State.status.json")
}
Test-That 'the next installation is bound as another device' {
  ((Install 'newer.msi' $deployment) -eq 0) -and (Wait-Until { Test-Running }) -and ((Get-Owner).device -ne $device)
}
Test-That 'an uninstall with PURGE=1 leaves nothing' {
  ((Uninstall 'newer.msi' @('PURGE=1')) -eq 0) -and -not (Test-Path $Programs) -and -not (Test-Path $Data)
}
Write-Host 'all is as it must be'
