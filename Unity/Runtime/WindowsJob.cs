using System;
using System.ComponentModel;
using System.Runtime.InteropServices;

namespace OpenSee
{
    /// <summary>
    /// A job object (Windows) with one process in it. Windows ends the process when the last handle of the job is
    /// closed, which it does itself when this process ends or is killed.
    /// </summary>
    internal sealed class WindowsJob : IDisposable
    {
        const int ExtendedLimitInformation = 9;  // JOBOBJECTINFOCLASS
        const uint KillOnJobClose = 0x2000;  // JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE

        IntPtr handle;

        /// <summary>Puts a process into a new job.</summary>
        /// <exception cref="Win32Exception">The system does not allow it.</exception>
        internal WindowsJob(IntPtr process)
        {
            handle = CreateJobObject(IntPtr.Zero, null);
            if (handle == IntPtr.Zero) throw new Win32Exception();
            var limits = new ExtendedLimits();
            limits.basic.limitFlags = KillOnJobClose;
            uint size = (uint)Marshal.SizeOf(typeof(ExtendedLimits));
            if (SetInformationJobObject(handle, ExtendedLimitInformation, ref limits, size)
                && AssignProcessToJobObject(handle, process)) return;
            var failure = new Win32Exception();
            Dispose();
            throw failure;
        }

        /// <summary>Ends the process in it.</summary>
        public void Dispose()
        {
            if (handle != IntPtr.Zero) CloseHandle(handle);
            handle = IntPtr.Zero;
        }

        // The structures of winnt.h.
        [StructLayout(LayoutKind.Sequential)]
        struct BasicLimits
        {
            internal long perProcessUserTime, perJobUserTime;
            internal uint limitFlags;
            internal UIntPtr minimumWorkingSet, maximumWorkingSet;
            internal uint activeProcesses;
            internal UIntPtr affinity;
            internal uint priorityClass, schedulingClass;
        }

        [StructLayout(LayoutKind.Sequential)]
        struct ExtendedLimits
        {
            internal BasicLimits basic;
            internal ulong readOperations, writeOperations, otherOperations, readBytes, writtenBytes, otherBytes;
            internal UIntPtr processMemory, jobMemory, peakProcessMemory, peakJobMemory;
        }

        [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        static extern IntPtr CreateJobObject(IntPtr attributes, string name);

        [DllImport("kernel32.dll", SetLastError = true)]
        [return: MarshalAs(UnmanagedType.Bool)]
        static extern bool SetInformationJobObject(IntPtr job, int kind, ref ExtendedLimits limits, uint size);

        [DllImport("kernel32.dll", SetLastError = true)]
        [return: MarshalAs(UnmanagedType.Bool)]
        static extern bool AssignProcessToJobObject(IntPtr job, IntPtr process);

        [DllImport("kernel32.dll", SetLastError = true)]
        [return: MarshalAs(UnmanagedType.Bool)]
        static extern bool CloseHandle(IntPtr handle);
    }
}
