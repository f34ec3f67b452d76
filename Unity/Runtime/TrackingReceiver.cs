using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using System.Threading;

namespace OpenSee
{
    /// <summary>
    /// A UDP socket and the thread that reads it. Whoever wants to know asks for <see cref="Faces"/>: an array that is
    /// never changed but replaced, so that nobody waits for anybody.
    /// </summary>
    internal sealed class TrackingReceiver : IDisposable
    {
        /// Faces that are remembered; a datagram has 36 at most. Those not heard of for longest are dropped first.
        const int MostFaces = 64;
        /// A record older than the last of its face by less than this was overtaken on its way; beyond, a recording
        /// has begun again or a clock was set.
        const double OvertakenSeconds = 1;
        const int PollMicroseconds = 20000;

        readonly Socket socket;
        readonly Thread thread;
        readonly SortedDictionary<int, Heard> heard = new SortedDictionary<int, Heard>();
        volatile OpenSee.OpenSeeData[] faces = new OpenSee.OpenSeeData[0];
        volatile int packets;
        volatile bool ending;

        struct Heard
        {
            internal OpenSee.OpenSeeData data;
            internal int packet;
        }

        /// <summary>Listens from now on.</summary>
        /// <exception cref="SocketException">The address is not one of this computer, or the port is taken.</exception>
        internal TrackingReceiver(string address, int port)
        {
            IPAddress here = Resolve(address);
            socket = new Socket(here.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                // Several receivers may share a port; which of them gets a datagram is up to the system. One that was
                // left to the system is not to be anybody else's.
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

        /// <summary>The newest data of every face heard of, by number. Never changed once it is here.</summary>
        internal OpenSee.OpenSeeData[] Faces { get { return faces; } }

        /// <summary>Datagrams that held tracking data.</summary>
        internal int Packets { get { return packets; } }

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
                    Take(buffer, socket.Receive(buffer));
                }
                catch (SocketException)
                {
                    Thread.Sleep(1);  // a report about some other datagram, as Windows has them; never spin on it
                }
            }
        }

        void Take(byte[] datagram, int length)
        {
            const int size = OpenSee.OpenSeeData.RecordSize;
            if (length == 0 || length % size != 0) return;
            bool any = false;
            for (int offset = 0; offset < length; offset += size)
            {
                OpenSee.OpenSeeData data = OpenSee.OpenSeeData.Read(datagram, offset);
                if (data == null) continue;
                any = true;
                Heard last;
                if (heard.TryGetValue(data.id, out last))
                {
                    double late = last.data.time - data.time;
                    if (late > 0 && late < OvertakenSeconds) continue;
                }
                heard[data.id] = new Heard { data = data, packet = packets };
            }
            if (!any) return;
            while (heard.Count > MostFaces) heard.Remove(LongestSilent());
            var now = new OpenSee.OpenSeeData[heard.Count];
            int count = 0;
            foreach (Heard one in heard.Values) now[count++] = one.data;
            faces = now;
            packets++;  // after the faces: who sees the number sees them too
        }

        int LongestSilent()
        {
            int silent = 0, packet = int.MaxValue;
            foreach (KeyValuePair<int, Heard> one in heard)
            {
                if (one.Value.packet >= packet) continue;
                silent = one.Key;
                packet = one.Value.packet;
            }
            return silent;
        }
    }
}
