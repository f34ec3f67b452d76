using System;
using System.Net.Sockets;
using UnityEngine;

namespace OpenSee
{
    /// <summary>
    /// The UDP port of a component: opened, opened anew when its address or number changes, tried again every second
    /// when it can't be opened, with one message each time that the reason is another.
    /// </summary>
    internal sealed class ListeningPort
    {
        const float RetrySeconds = 1;

        readonly MonoBehaviour owner;
        readonly Action<byte[], int> take;
        DatagramReceiver receiver;
        string address, complaint;
        int port;
        float nextTry;

        /// <param name="owner">Who listens, for messages.</param>
        /// <param name="take">See <see cref="DatagramReceiver"/>.</param>
        internal ListeningPort(MonoBehaviour owner, Action<byte[], int> take)
        {
            this.owner = owner;
            this.take = take;
        }

        /// <summary>To be called every frame, with the place as it is wanted now.</summary>
        /// <param name="wantedPort">0 for any; the one that it is then.</param>
        /// <returns>Whether it is open.</returns>
        internal bool Keep(string wantedAddress, ref int wantedPort)
        {
            bool moved = wantedAddress != address || wantedPort != port;
            if (moved || (receiver == null && Time.realtimeSinceStartup >= nextTry)) Open(wantedAddress, ref wantedPort);
            return receiver != null;
        }

        /// <summary>Opens it anew.</summary>
        /// <param name="wantedPort">0 for any; the one that it is then.</param>
        /// <returns>Whether it is open.</returns>
        internal bool Open(string wantedAddress, ref int wantedPort)
        {
            Close();
            address = wantedAddress;
            port = wantedPort;
            nextTry = Time.realtimeSinceStartup + RetrySeconds;
            try
            {
                receiver = new DatagramReceiver(address, port, take);
                wantedPort = port = receiver.Port;
                complaint = null;
            }
            catch (Exception failure) when (failure is SocketException || failure is ArgumentException)
            {
                Complain(owner.GetType().Name + " can't listen at " + address + ", UDP port " + port + ": "
                    + failure.Message);
            }
            return receiver != null;
        }

        /// <summary>Frees it.</summary>
        internal void Close()
        {
            if (receiver != null) receiver.Dispose();
            receiver = null;
        }

        void Complain(string what)
        {
            if (what != complaint) Debug.LogError(what, owner);
            complaint = what;
        }
    }
}
