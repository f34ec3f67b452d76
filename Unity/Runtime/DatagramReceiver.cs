using System;
using System.Net;
using System.Net.Sockets;
using System.Threading;

namespace OpenSee
{
    /// <summary>A UDP socket and the thread that reads it.</summary>
    internal sealed class DatagramReceiver : IDisposable
    {
        const int PollMicroseconds = 20000;

        readonly Socket socket;
        readonly Thread thread;
        readonly Action<byte[], int> take;
        volatile bool ending;

        /// <summary>Listens from now on.</summary>
        /// <param name="address">Of this computer, a number or a name.</param>
        /// <param name="port">0 for any that is free.</param>
        /// <param name="take">Gets each datagram, in the first so many bytes, in the receiver's thread.</param>
        /// <exception cref="SocketException">The address is not one of this computer, or the port is taken.</exception>
        internal DatagramReceiver(string address, int port, Action<byte[], int> take)
        {
            this.take = take;
            IPAddress here = Resolve(address);
            socket = new Socket(here.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                // Several receivers may share a port; which of them gets a datagram is up to the system. One that the
                // system is to choose must not be anybody else's.
                if (port != 0) socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
                socket.ReceiveBufferSize = 1 << 20;
                socket.Bind(new IPEndPoint(here, port));
            }
            catch
            {
                socket.Close();
                throw;
            }
            thread = new Thread(Run) { IsBackground = true, Name = "OpenSee receiver" };
            thread.Start();
        }

        /// <summary>The port, also where it was left to the system (0).</summary>
        internal int Port { get { return ((IPEndPoint)socket.LocalEndPoint).Port; } }

        /// <summary>Ends the thread and frees the port before it returns.</summary>
        public void Dispose()
        {
            ending = true;
            thread.Join();
            socket.Close();
        }

        static IPAddress Resolve(string address)
        {
            IPAddress parsed;
            if (IPAddress.TryParse(address, out parsed)) return parsed;
            IPAddress[] found = Dns.GetHostAddresses(address);
            foreach (IPAddress one in found)
                if (one.AddressFamily == AddressFamily.InterNetwork) return one;
            if (found.Length == 0) throw new SocketException((int)SocketError.HostNotFound);
            return found[0];
        }

        void Run()
        {
            var buffer = new byte[65536];  // more than a datagram can hold: none is read half
            while (!ending)
            {
                try
                {
                    // Closing a socket wakes a waiting thread on some systems only, so it looks up now and then.
                    if (!socket.Poll(PollMicroseconds, SelectMode.SelectRead)) continue;
                    take(buffer, socket.Receive(buffer));
                }
                catch (SocketException)
                {
                    Thread.Sleep(1);  // a report about some other datagram, as Windows has them; never spin on it
                }
            }
        }
    }
}
