// Lines of standard input, for a loop that does not wait for them.
using System;
using System.Collections.Concurrent;
using System.Threading;

public static class Input
{
    static readonly ConcurrentQueue<string> lines = new ConcurrentQueue<string>();

    public static void Listen()
    {
        var thread = new Thread(() =>
        {
            string line;
            while ((line = Console.ReadLine()) != null) lines.Enqueue(line);
            lines.Enqueue("quit");
        });
        thread.IsBackground = true;
        thread.Start();
    }

    /// The next line, or null when none has come.
    public static string Next()
    {
        string line;
        return lines.TryDequeue(out line) ? line : null;
    }
}
