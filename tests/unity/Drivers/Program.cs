// Runs what the package's components do, for pytest: `mono drivers.exe NAME ARGUMENT…` calls `NAMEDriver.Run`.
using System;
using System.Linq;
using System.Reflection;
using UnityEngine;

public static class Program
{
    public static int Main(string[] arguments)
    {
        string wanted = arguments[0] + "Driver";
        Type driver = Assembly.GetExecutingAssembly().GetTypes()
            .First(type => type.Name.Equals(wanted, StringComparison.OrdinalIgnoreCase));
        var run = (Func<string[], int>)Delegate.CreateDelegate(typeof(Func<string[], int>), driver.GetMethod("Run"));
        int code = run(arguments.Skip(1).ToArray());
        Scene.Quit();
        foreach (string error in Debug.errors) Console.Error.WriteLine("error: " + error);
        return code != 0 ? code : Debug.errors.Count > 0 ? 3 : 0;
    }
}
