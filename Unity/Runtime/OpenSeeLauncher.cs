using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Globalization;
using System.IO;
using UnityEngine;

namespace OpenSee
{
    /// <summary>
    /// Starts and ends the tracker, asks it for cameras and how fast its models are. The tracker ends with this
    /// component, with the player, and also when Unity is killed.
    /// </summary>
    [AddComponentMenu("OpenSeeFace/OpenSeeLauncher")]
    public class OpenSeeLauncher : MonoBehaviour
    {
        [Header("What is tracked")]
        [Tooltip("The component whose address and port the tracker sends to.")]
        public OpenSee openSeeTarget;
        [Tooltip("The camera's number in the list of cameras.")]
        public int cameraIndex;
        [Tooltip("A video, a picture or the address of a camera on the network to track instead of a camera.")]
        public string videoPath = "";

        [Header("When")]
        [Tooltip("Start the tracker with the scene.")]
        public bool autoStart;
        [Tooltip("List the cameras in the console when the scene starts.")]
        public bool autoListCameras;
        [Tooltip("Leave what the tracker prints out of the console.")]
        public bool dontPrint;
        [Tooltip("Let the tracker and its receiver use a port that is free, instead of the one that is set.")]
        public bool dynamicPort;

        [Header("The program")]
        [Tooltip("The tracker: facetracker.exe, facetracker, or facetracker.py. Relative to the working folder, to StreamingAssets or to the project's or player's folder.")]
        public string exePath = "facetracker.exe";
        [Tooltip("Folder with the models; empty: the tracker's own.")]
        public string modelPath = "";
        [Tooltip("Options of the tracker, a word each: the option, then its value.")]
        public List<string> commandlineOptions = new List<string> { "--silent", "1", "--max-threads", "1" };
        [Tooltip("Further options, a word each. They come last.")]
        public List<string> extraOptions = new List<string>();
        [Tooltip("Show the command line in the console.")]
        public bool logCommandline;

        [Header("State")]
        [Tooltip("Whether the tracker runs.")]
        public bool trackerAlive;

        const float ListSeconds = 30, BenchmarkSeconds = 600;

        TrackerProcess tracker;

        /// <summary>The names of the cameras; the place of a name is its <see cref="cameraIndex"/>. Waits for the
        /// answer; empty when there is none.</summary>
        public string[] ListCameras()
        {
            return Ask(ListSeconds, "--list-cameras", "2").ToArray();
        }

        /// <summary>How many frames a second the models 3, 2, 1, 0, -1, -2, -3 do on this computer; 0 for one that is
        /// not there. Takes some seconds, in which it waits; empty when the tracker gives no answer.</summary>
        /// <param name="threads">So many threads at most.</param>
        public float[] Benchmark(int threads)
        {
            var speeds = new List<float>();
            string count = threads.ToString(CultureInfo.InvariantCulture);
            foreach (string line in Ask(BenchmarkSeconds, "--benchmark", "1", "--priority", "4", "--max-threads", count))
            {
                float speed;
                if (float.TryParse(line, NumberStyles.Float, CultureInfo.InvariantCulture, out speed)) speeds.Add(speed);
            }
            return speeds.ToArray();
        }

        /// <summary>Sets an option of the tracker for its next start.</summary>
        /// <param name="option">As on its command line, such as --faces.</param>
        /// <param name="value">Its value; null for one that has none.</param>
        public void SetOption(string option, string value)
        {
            UnsetOption(option);
            commandlineOptions.Add(option);
            if (value != null) commandlineOptions.Add(value);
        }

        /// <summary>Leaves an option to the tracker's default from its next start on.</summary>
        public void UnsetOption(string option)
        {
            Remove(commandlineOptions, option);
            Remove(extraOptions, option);
        }

        /// <summary>Starts the tracker; one that runs is ended first.</summary>
        /// <returns>Whether it runs.</returns>
        public bool StartTracker()
        {
            StopTracker();
            if (openSeeTarget == null)
            {
                Debug.LogError("OpenSeeLauncher has no openSeeTarget to send to.", this);
                return false;
            }
            if (dynamicPort)
            {
                openSeeTarget.listenPort = 0;
                if (!openSeeTarget.Listen()) return false;
            }
            tracker = Launch(Arguments(), Print, PrintWarning);
            trackerAlive = tracker != null;
            return trackerAlive;
        }

        /// <summary>Ends the tracker, and returns when it has ended.</summary>
        public void StopTracker()
        {
            if (tracker != null) tracker.Dispose();
            tracker = null;
            trackerAlive = false;
        }

        void Start()
        {
            if (autoListCameras)
            {
                string[] names = ListCameras();
                for (int i = 0; i < names.Length; i++) Debug.Log("Camera " + i + ": " + names[i], this);
            }
            if (autoStart) StartTracker();
        }

        void Update()
        {
            if (tracker == null || tracker.IsAlive) return;
            if (!dontPrint) Debug.Log("The tracker has ended with exit code " + tracker.ExitCode + ".", this);
            StopTracker();
        }

        void OnDisable() { StopTracker(); }

        void OnApplicationQuit() { StopTracker(); }

        List<string> Arguments()
        {
            // A receiver that listens at all addresses is reached at this computer's own.
            string address = openSeeTarget.listenAddress;
            if (address == "0.0.0.0") address = "127.0.0.1";
            if (address == "::") address = "::1";
            string port = openSeeTarget.listenPort.ToString(CultureInfo.InvariantCulture);
            string capture = string.IsNullOrEmpty(videoPath) ? cameraIndex.ToString(CultureInfo.InvariantCulture) : videoPath;
            var words = new List<string> { "--ip", address, "--port", port };
            if (!string.IsNullOrEmpty(modelPath)) words.AddRange(new[] { "--model-dir", Found(modelPath, Directory.Exists) });
            words.AddRange(new[] { "--capture", capture });
            words.AddRange(Words(commandlineOptions));
            words.AddRange(Words(extraOptions));
            return words;
        }

        /// Entries with an option and its value in one are taken apart; empty ones are left out.
        static IEnumerable<string> Words(IEnumerable<string> entries)
        {
            foreach (string entry in entries)
            {
                string text = entry == null ? "" : entry.Trim();
                int space = text.IndexOf(' ');
                if (text.StartsWith("-", StringComparison.Ordinal) && space > 0)
                {
                    yield return text.Substring(0, space);
                    yield return text.Substring(space).Trim();
                }
                else if (text.Length > 0) yield return text;
            }
        }

        static void Remove(List<string> words, string option)
        {
            for (int i = words.Count - 1; i >= 0; i--)
            {
                bool joined = words[i].StartsWith(option + " ", StringComparison.Ordinal);
                if (words[i] != option && !joined) continue;
                bool hasValue = !joined && i + 1 < words.Count && !IsOption(words[i + 1]);
                words.RemoveRange(i, hasValue ? 2 : 1);
            }
        }

        /// --model is one, -3 is a value.
        static bool IsOption(string word)
        {
            float number;
            return word.StartsWith("-", StringComparison.Ordinal)
                && !float.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out number);
        }

        /// Runs the tracker for an answer on its standard output.
        List<string> Ask(float seconds, params string[] arguments)
        {
            var lines = new List<string>();
            using (TrackerProcess asked = Launch(arguments, lines.Add, PrintWarning))
            {
                if (asked == null) return lines;
                if (asked.Wait(seconds) && asked.ExitCode == 0) return lines;
                string why = asked.IsAlive ? "has not answered in " + seconds + " s" : "ended with exit code " + asked.ExitCode;
                Debug.LogError("The tracker " + why + ": " + string.Join(" ", arguments), this);
            }
            return new List<string>();
        }

        TrackerProcess Launch(IEnumerable<string> arguments, Action<string> onOutput, Action<string> onError)
        {
            string program = Found(exePath, File.Exists);
            if (logCommandline) Debug.Log(TrackerProcess.CommandLine(program, arguments), this);
            try
            {
                return new TrackerProcess(program, arguments, onOutput, onError);
            }
            // Not supported: by IL2CPP.
            catch (Exception failure) when (failure is Win32Exception || failure is NotSupportedException)
            {
                Debug.LogError("The tracker can't be started from " + program + ": " + failure.Message, this);
                return null;
            }
        }

        /// The file or folder of this name, if there is one; else the name itself, for the system to look for.
        static string Found(string name, Func<string, bool> exists)
        {
            string here = Application.platform == RuntimePlatform.WindowsEditor
                || Application.platform == RuntimePlatform.WindowsPlayer ? name : name.Replace('\\', '/');
            string plain = here.EndsWith(".exe", StringComparison.OrdinalIgnoreCase) ? here.Substring(0, here.Length - 4) : here;
            string[] folders = { "", Application.streamingAssetsPath, Path.Combine(Application.dataPath, "..") };
            foreach (string folder in folders)
                foreach (string candidate in new[] { here, plain })
                {
                    string path = Path.Combine(folder, candidate);
                    if (exists(path)) return Path.GetFullPath(path);
                }
            return here;
        }

        void Print(string line)
        {
            if (!dontPrint) Debug.Log(line);
        }

        void PrintWarning(string line)
        {
            if (!dontPrint) Debug.LogWarning(line);
        }
    }
}
