using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Text;

namespace OpenSee
{
    /// <summary>
    /// The tracker's program as it runs. It ends with Unity, however that ends: on Windows it belongs to a job that
    /// the system closes with us, elsewhere it is told whom to end with (--parent-pid).
    /// </summary>
    internal sealed class TrackerProcess : IDisposable
    {
        const int KillMilliseconds = 5000;

        /// Latin-1: a character for each byte.
        static readonly Encoding bytes = Encoding.GetEncoding(28591);
        static readonly Encoding strictUtf8 = new UTF8Encoding(false, true);

        readonly Process process;
        readonly IDisposable job;

        static bool OnWindows { get { return Environment.OSVersion.Platform == PlatformID.Win32NT; } }

        /// <summary>Starts the program.</summary>
        /// <param name="program">The executable, or facetracker.py.</param>
        /// <param name="arguments">Its options, one word each.</param>
        /// <param name="onOutput">Gets each line of its standard output, on another thread.</param>
        /// <param name="onError">Gets each line of its standard error, on another thread.</param>
        /// <exception cref="Win32Exception">It can't be started.</exception>
        internal TrackerProcess(string program, IEnumerable<string> arguments, Action<string> onOutput, Action<string> onError)
        {
            ProcessStartInfo start = StartOf(program, arguments);
            start.UseShellExecute = false;
            start.CreateNoWindow = true;
            start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
            start.EnvironmentVariables["PYTHONIOENCODING"] = "utf-8";
            start.StandardOutputEncoding = start.StandardErrorEncoding = bytes;
            process = new Process { StartInfo = start };
            process.OutputDataReceived += (_, line) => { if (line.Data != null) onOutput(Decoded(line.Data)); };
            process.ErrorDataReceived += (_, line) => { if (line.Data != null) onError(Decoded(line.Data)); };
            process.Start();
            if (OnWindows) job = JobOf(process, onError);
            process.StandardInput.Close();  // it is not to wait for what a person types
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
        }

        /// <summary>Whether it still runs.</summary>
        internal bool IsAlive { get { return !process.HasExited; } }

        /// <summary>Its exit code, once it has ended.</summary>
        internal int ExitCode { get { return process.ExitCode; } }

        /// <summary>Waits for its end, and for all that it printed.</summary>
        /// <returns>False when it still runs after so many seconds.</returns>
        internal bool Wait(float seconds)
        {
            if (!process.WaitForExit((int)(seconds * 1000))) return false;
            process.WaitForExit();
            return true;
        }

        /// <summary>Ends it, and returns when it has ended.</summary>
        public void Dispose()
        {
            try
            {
                if (IsAlive)
                {
                    process.Kill();
                    process.WaitForExit(KillMilliseconds);
                }
            }
            catch (InvalidOperationException) { }  // it has just ended by itself
            catch (Win32Exception) { }  // the same, as Windows says it
            if (job != null) job.Dispose();
            process.Dispose();
        }

        /// <summary>The whole command line, as it is passed on.</summary>
        internal static string CommandLine(string program, IEnumerable<string> arguments)
        {
            ProcessStartInfo start = StartOf(program, arguments);
            return Quote(start.FileName, OnWindows) + " " + start.Arguments;
        }

        static WindowsJob JobOf(Process process, Action<string> onError)
        {
            try
            {
                return new WindowsJob(process.Handle);
            }
            catch (Win32Exception failure)
            {
                onError("The tracker would go on if Unity were killed: " + failure.Message);
                return null;
            }
        }

        /// A built tracker prints in the system's code page on Windows, everything else in UTF-8.
        static string Decoded(string line)
        {
            byte[] printed = bytes.GetBytes(line);
            try
            {
                return strictUtf8.GetString(printed);
            }
            catch (DecoderFallbackException)
            {
                return Encoding.Default.GetString(printed);
            }
        }

        static ProcessStartInfo StartOf(string program, IEnumerable<string> arguments)
        {
            var words = new List<string>(arguments);
            if (!OnWindows) words.AddRange(new[] { "--parent-pid", Process.GetCurrentProcess().Id.ToString() });
            if (Path.GetExtension(program) == ".py")
            {
                words.Insert(0, program);
                program = PythonFor(program);
            }
            return new ProcessStartInfo(program, string.Join(" ", words.ConvertAll(word => Quote(word, OnWindows)).ToArray()));
        }

        /// The interpreter of the environment beside the script, as the tracker's README makes it, else the system's.
        static string PythonFor(string script)
        {
            string folder = Path.GetDirectoryName(Path.GetFullPath(script));
            string own = Path.Combine(folder, OnWindows ? @".venv\Scripts\python.exe" : ".venv/bin/python");
            return File.Exists(own) ? own : OnWindows ? "python" : "python3";
        }

        /// One word of a command line, as Windows' programs and Mono's Process elsewhere take it apart again.
        internal static string Quote(string word, bool onWindows)
        {
            var quoted = new StringBuilder("\"");
            int slashes = 0;
            foreach (char c in word)
            {
                if (onWindows)
                {
                    // Backslashes are doubled before a quotation mark only.
                    if (c == '"') quoted.Append('\\', slashes + 1);
                    slashes = c == '\\' ? slashes + 1 : 0;
                }
                else if (c == '"' || c == '\\' || c == '$' || c == '`') quoted.Append('\\');
                quoted.Append(c);
            }
            return quoted.Append('\\', slashes).Append('"').ToString();
        }
    }
}
