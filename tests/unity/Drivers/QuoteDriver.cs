using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;

/// Reads words, one a line. Prints them quoted for Windows, and what a real program gets of them here; and the sizes of
/// what Windows' job objects are told.
public static class QuoteDriver
{
    static readonly Assembly package = typeof(OpenSee.OpenSee).Assembly;
    static readonly MethodInfo quote =
        package.GetType("OpenSee.TrackerProcess").GetMethod("Quote", BindingFlags.Static | BindingFlags.NonPublic);

    public static int Run(string[] arguments)
    {
        var words = new List<string>();
        for (string line; (line = Console.ReadLine()) != null;) words.Add(line);
        Type limits = package.GetType("OpenSee.WindowsJob+ExtendedLimits");
        Json.Print(new
        {
            windows = words.Select(word => Quoted(word, true)), here = Printed(words.Select(word => Quoted(word, false))),
            jobSize = Marshal.SizeOf(limits), pointerSize = IntPtr.Size,
        });
        return 0;
    }

    static string Quoted(string word, bool onWindows) { return (string)quote.Invoke(null, new object[] { word, onWindows }); }

    static string[] Printed(IEnumerable<string> words)
    {
        var start = new ProcessStartInfo("printf", "\"%s\\\\n\" " + string.Join(" ", words.ToArray()));
        start.UseShellExecute = false;
        start.RedirectStandardOutput = true;
        using (Process printf = Process.Start(start))
        {
            string printed = printf.StandardOutput.ReadToEnd();
            return printed.Substring(0, printed.Length - 1).Split('\n');
        }
    }
}
