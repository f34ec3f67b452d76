@echo off
rem Builds the folder dist\facetracker, for computers without Python, by facetracker.spec. Needs Python 3.10 or later.
cd /d "%~dp0"
if not exist .venv\Scripts\python.exe py -3 -m venv .venv 2>nul
if not exist .venv\Scripts\python.exe python -m venv .venv
.venv\Scripts\python.exe -m pip install --quiet -r release\requirements.txt || exit /b 1
.venv\Scripts\python.exe -m PyInstaller --noconfirm facetracker.spec %* || exit /b 1
echo Built: dist\facetracker. Pass on the whole folder.
