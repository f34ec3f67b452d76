@echo off
rem Starts the tracker for a person who does not want to type options: asks for the camera and shows the window.
rem Works beside facetracker.exe and in the source tree. Options given to it are passed on: run.bat --model -2
setlocal
title Face tracker
rem Names of files in the options and answers are those of the folder that it is called from.
set "FROM=%CD%"
set "HERE=%~dp0"
cd /d "%HERE%"

if exist facetracker.exe (
    set "TRACKER=.\facetracker.exe"
    set TRACK="%HERE%facetracker.exe"
    goto cameras
)
if not exist facetracker.py (
    echo Neither facetracker.exe nor facetracker.py is in the folder of this script.
    goto failed
)
set "TRACKER=.venv\Scripts\python.exe facetracker.py"
set TRACK="%HERE%.venv\Scripts\python.exe" "%HERE%facetracker.py"
if exist .venv\Scripts\python.exe goto packages
echo Installing what the tracker needs into the folder .venv. This happens once and takes a few minutes.
py -3 -m venv .venv 2>nul
if not exist .venv\Scripts\python.exe python -m venv .venv
if exist .venv\Scripts\python.exe goto packages
echo Python 3.10 or later is needed: install it from python.org, with the box "Add python.exe to PATH" ticked.
goto failed

:packages
.venv\Scripts\python.exe -c "import cv2, cv2_enumerate_cameras, numpy, onnxruntime, PIL, pythonosc, websockets" 2>nul
if not errorlevel 1 goto cameras
.venv\Scripts\python.exe -m pip install --quiet -r requirements.txt
if not errorlevel 1 goto cameras
echo The packages could not be installed; the lines above say why.
goto failed

:cameras
%TRACKER% --list-cameras 1
if errorlevel 1 goto failed
rem The first line is a heading, a line with a number follows for each camera.
set "FIRST="
for /f "skip=1 delims=:" %%i in ('%TRACKER% --list-cameras 1') do if not defined FIRST set "FIRST=%%i"
if not defined FIRST (
    echo ^(none^)
    set "FIRST=%HERE%samples\talking_head.mp4"
)
set "CAMERA="
set /p "CAMERA=Camera number, or the path of a video [%FIRST%]: "
if not defined CAMERA set "CAMERA=%FIRST%"
set "CAMERA=%CAMERA:"=%"
set "SETTINGS="
rem This runs for whatever is not a number. A video has no modes and runs as fast as it goes.
for /f "delims=0123456789" %%i in ("%CAMERA%") do goto track

echo Modes of camera %CAMERA%:
%TRACKER% --list-dcaps %CAMERA%
if errorlevel 1 goto failed
:mode
set "MODE="
set /p "MODE=Mode number [automatic]: "
if not defined MODE goto rate
for /f "delims=-0123456789" %%i in ("%MODE%") do (
    echo Please type a number, or only Enter.
    goto mode
)
set "SETTINGS=-D %MODE%"
:rate
set "RATE="
set /p "RATE=Frames per second [24]: "
if not defined RATE set "RATE=24"
for /f "delims=0123456789" %%i in ("%RATE%") do (
    echo Please type a number, or only Enter.
    goto rate
)
set "SETTINGS=%SETTINGS% -F %RATE%"

:track
echo Tracking. The key q in the window ends it.
cd /d "%FROM%"
%TRACK% -c "%CAMERA%" %SETTINGS% -v 3 -P 1 %*
if errorlevel 1 goto failed
pause
exit /b 0

:failed
echo The tracker ended with an error; the lines above say what is wrong.
pause
exit /b 1
