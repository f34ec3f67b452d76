namespace OpenSee
{
    /// <summary>Lets an answer change only when the new one came some frames running.</summary>
    internal sealed class Stabiliser
    {
        private int shown = -1, next = -1, count;

        /// <summary>Begins anew with none, as when a face is lost.</summary>
        public void Reset()
        {
            shown = next = -1;
            count = 0;
        }

        /// <summary>The answer to show after this one; -1 is one, too: none of the expressions.</summary>
        /// <param name="answer">The number of an expression, or -1.</param>
        /// <param name="frames">How often it must come before it is shown; 1: at once.</param>
        public int Update(int answer, int frames)
        {
            if (answer == shown)
                count = 0;
            else if (count > 0 && answer == next)
                count++;
            else
            {
                next = answer;
                count = 1;
            }
            if (count >= frames && answer != shown)
            {
                shown = answer;
                count = 0;
            }
            return shown;
        }
    }
}
